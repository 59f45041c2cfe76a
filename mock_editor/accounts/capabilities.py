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
            "L'éditeur attribue les id : seuls POST et PUT ?identifier= créent un compte.",
            "versioning": "versioned",
            "updateCreate": True,
            "conditionalUpdate": True,
        },
    )
}
