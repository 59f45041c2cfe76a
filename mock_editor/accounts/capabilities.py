"""What INT_R02 adds to the CapabilityStatement."""

from mock_editor.accounts.payload import KIND
from mock_editor.base import codes
from mock_editor.base.capabilities import Supported

FOLLOWS = (codes.CAPABILITIES_ACCOUNTS,)
SUPPORTED = {
    KIND: Supported(
        (codes.REGULATOR_PROFILE,),
        interactions=("create", "update"),
        more={
            "documentation": "Comptes régulateurs (INT_R02) : créés et mis à jour, jamais trouvés par une recherche. "
            "Le guide annonce updateCreate à true ; ici il est à false, parce que l'éditeur attribue les id : "
            "PUT Practitioner/<id> ne crée rien (405), POST et PUT ?identifier= (conditionalUpdate) créent. "
            "Un compte se lit sous condition (If-None-Match, If-Modified-Since), un PS non.",
            "versioning": "versioned",
            "readHistory": False,
            "updateCreate": False,
            "conditionalCreate": False,
            "conditionalUpdate": True,
            "conditionalDelete": "not-supported",
        },
    )
}
