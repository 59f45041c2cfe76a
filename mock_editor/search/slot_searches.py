"""The three slot searches of the guide: what each shows, and the profiles that it claims."""

from dataclasses import dataclass

from mock_editor.base import codes
from mock_editor.calendars.model import SlotType


@dataclass(frozen=True, slots=True)
class SlotSearch:
    """One kind of slot search. It shows slots of the ``exposed`` types, and of a slot only those of its types."""

    bundle_profile: str
    slot_profile: str
    exposed: frozenset[SlotType]


INT_R01 = SlotSearch(codes.BUNDLE_PROFILE, codes.SLOT_PROFILE, frozenset({SlotType.PUBLIC, SlotType.PRO, SlotType.SNP}))
# Every slot of such an answer claims the CPTS profile, also one that is open to no CPTS: the profile allows it.
INT_R04 = SlotSearch(codes.CPTS_BUNDLE_PROFILE, codes.CPTS_SLOT_PROFILE, INT_R01.exposed | {SlotType.CPTS})
SOS = SlotSearch(codes.SOS_BUNDLE_PROFILE, codes.SOS_SLOT_PROFILE, frozenset({SlotType.PUBLIC, SlotType.SNP}))
