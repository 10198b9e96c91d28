"""The words of reports, in English and French."""

from __future__ import annotations

NOTES = {
    "en": {
        "below_count": "Below count: {total} cells; ICSH 2008 asks for {target}, and at least {floor}.",
        "below_target": "{total} cells counted; ICSH 2008 asks for {target} when a diagnosis rests on them.",
        "me_ratio": "The M:E ratio is unreliable: it rests on {codes}, never seen in marrow images.",
        "not_from_marrow": "Learned from images that are not bone marrow: {codes}.",
        "unknown": "No training images of {codes}: such cells come out as uncertain or under another name.",
        "no_diagnosis": "For research and teaching; not for diagnosis.",
    },
    "fr": {
        "below_count": "Décompte insuffisant : {total} cellules ; l’ICSH 2008 en demande {target}, "
        "et au moins {floor}.",
        "below_target": "{total} cellules comptées ; l’ICSH 2008 en demande {target} quand un diagnostic en dépend.",
        "me_ratio": "Le rapport M/E n’est pas fiable : il repose sur {codes}, jamais vus sur des images de moelle.",
        "not_from_marrow": "Appris sur des images qui ne sont pas de moelle osseuse : {codes}.",
        "unknown": "Aucune image d’apprentissage pour {codes} : ces cellules sortent incertaines ou sous un autre nom.",
        "no_diagnosis": "Pour la recherche et l’enseignement ; pas pour le diagnostic.",
    },
}
"""Sentences of :func:`marrow.report.write_notes`."""

CLASS_NAMES = {
    "en": {
        "ABE": "abnormal eosinophil",
        "ART": "artefact",
        "BAS": "basophil",
        "BLA": "blast",
        "EBO": "erythroblast",
        "EOS": "eosinophil",
        "FGC": "faggot cell",
        "HAC": "hairy cell",
        "KSC": "smudge cell",
        "LYI": "immature lymphocyte",
        "LYT": "lymphocyte",
        "MMZ": "metamyelocyte",
        "MON": "monocyte",
        "MYB": "myelocyte",
        "NGB": "band neutrophil",
        "NGS": "segmented neutrophil",
        "NIF": "not identifiable",
        "OTH": "other cell",
        "PEB": "proerythroblast",
        "PLM": "plasma cell",
        "PMO": "promyelocyte",
    },
    "fr": {
        "ABE": "éosinophile anormal",
        "ART": "artéfact",
        "BAS": "basophile",
        "BLA": "blaste",
        "EBO": "érythroblaste",
        "EOS": "éosinophile",
        "FGC": "cellule en fagots",
        "HAC": "tricholeucocyte",
        "KSC": "ombre de Gumprecht",
        "LYI": "lymphocyte immature",
        "LYT": "lymphocyte",
        "MMZ": "métamyélocyte",
        "MON": "monocyte",
        "MYB": "myélocyte",
        "NGB": "neutrophile non segmenté (band)",
        "NGS": "neutrophile segmenté",
        "NIF": "non identifiable",
        "OTH": "autre cellule",
        "PEB": "proérythroblaste",
        "PLM": "plasmocyte",
        "PMO": "promyélocyte",
    },
}
