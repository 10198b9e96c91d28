"""What every room of training uses: files, experiment files, tables and plots."""
