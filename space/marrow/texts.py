"""The words of reports and screen, in English and French."""

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

SCREEN = {
    "en": {
        "intro": "# Bone-marrow smear\nFinds every nucleated cell, outlines it, names its type and counts the "
        "types. For research and teaching; **not for diagnosis**.",
        "picture": "Found cells",
        "examples": "Examples (drawn, not from patients)",
        "confidence": "Confidence",
        "confidence_info": "Cells that the segmenter is less sure of are left out.",
        "segmentation": "Segmentation",
        "annotations": "Annotations",
        "report": "Classification report",
        "flag": "Flag",
        "bars": "Share of the count (%)",
        "comment": "What is wrong or worth learning from?",
        "consent": "I may share this image, it shows nothing that identifies a person, and it may be used to "
        "train these models.",
        "send": "Send flag",
        "flagged": "Thank you: the image, what was found in it and your comment are saved.",
        "no_consent": "Tick the consent box first: without it nothing is saved.",
        "no_image": "Choose an image first.",
        "unreadable": "This file cannot be used: choose an image (JPEG, PNG or TIFF) of at most "
        "{megapixels} megapixels.",
        "summary": "**{found}** cells found · **{total}** counted · **{uncertain}** uncertain · "
        "M:E ratio **{me_ratio}**",
        "headers": "Class|Code|n|%|95 % CI",
        "not_from_marrow": "\\* never seen in a marrow image during training",
    },
    "fr": {
        "intro": "# Frottis de moelle osseuse\nTrouve chaque cellule nucléée, la détoure, la nomme et compte "
        "les types. Pour la recherche et l’enseignement ; **pas pour le diagnostic**.",
        "picture": "Cellules trouvées",
        "examples": "Exemples (dessinés, ne venant d’aucun patient)",
        "confidence": "Confiance",
        "confidence_info": "Les cellules dont la segmentation est moins sûre sont écartées.",
        "segmentation": "Segmentation",
        "annotations": "Annotations",
        "report": "Rapport de classification",
        "flag": "Signaler",
        "bars": "Part du décompte (%)",
        "comment": "Qu’est-ce qui est faux ou instructif ?",
        "consent": "J’ai le droit de partager cette image, elle ne montre rien qui identifie une personne, et "
        "elle peut servir à entraîner ces modèles.",
        "send": "Envoyer",
        "flagged": "Merci : l’image, ce qui y a été trouvé et votre commentaire sont enregistrés.",
        "no_consent": "Cochez d’abord la case de consentement : sans elle rien n’est enregistré.",
        "no_image": "Choisissez d’abord une image.",
        "unreadable": "Ce fichier ne peut pas servir : choisissez une image (JPEG, PNG ou TIFF) d’au plus "
        "{megapixels} mégapixels.",
        "summary": "**{found}** cellules trouvées · **{total}** comptées · **{uncertain}** incertaines · "
        "rapport M/E **{me_ratio}**",
        "headers": "Classe|Code|n|%|IC à 95 %",
        "not_from_marrow": "\\* jamais vu sur une image de moelle pendant l’apprentissage",
    },
}
"""Labels and messages of the screen; ``summary``, ``headers`` and the messages are filled in on the server."""


def choose_language(accept_language: str | None) -> str:
    """Choose from a browser's ``Accept-Language`` header: ``"fr"`` when French comes first, else ``"en"``."""
    return "fr" if (accept_language or "").strip().lower().startswith("fr") else "en"
