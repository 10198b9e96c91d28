"""Studies of many pictures: found in folders, zips and data sets, analyzed by every core, kept as Parquet.

:mod:`marrow.batch.sources` finds the pictures, :mod:`marrow.batch.workers` analyzes them, :mod:`marrow.batch.journal`
keeps what is done of a case that is not finished, :mod:`marrow.batch.tables` writes those that are, and
:mod:`marrow.batch.study` leads all of it, in a folder that :mod:`marrow.batch.folder` guards.
"""
