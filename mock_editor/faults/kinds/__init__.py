"""Every kind of fault, by family. To add one: its class in a module of this folder, its name here."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Union

from mock_editor.faults.kind import Kind
from mock_editor.faults.kinds import body, connection, latency, outgoing, status
from mock_editor.faults.kinds.conformance import attachments, bundles, cpts, identities, slots, times
from mock_editor.faults.kinds.payload import claims, elements, people
from mock_editor.faults.words import French

FAMILIES: Mapping[str, French] = {
    "time": French("Lenteur", "Des réponses qui tardent, n’arrivent jamais, ou arrivent au compte-gouttes."),
    "http": French("Erreurs HTTP", "Un statut d’erreur : toujours, de temps en temps, ou au-delà d’un quota."),
    "connection": French("Connexion", "La connexion s’arrête avant la fin de la réponse, ou apporte autre chose."),
    "conformance": French("Conformité", "Des réponses lisibles, mais qui ne respectent pas le guide."),
    "body": French("Corps de la réponse", "Un contenu qui ne se lit pas : coupé, mal encodé, trop gros, vide."),
    "payload": French("Contenu des notifications", "Des notifications INT_R03 qui ne respectent pas leur profil."),
    "outgoing": French(
        "Envoi des notifications", "Des notifications INT_R03 en retard, en double, en désordre ou perdues."
    ),
}
KINDS: tuple[type[Kind], ...] = (
    # --- time: answers that come late, never, or bit by bit
    latency.Latency,
    latency.LatencyUniform,
    latency.LatencyNormal,
    latency.LatencyLognormal,
    latency.LatencyExponential,
    latency.LatencyPercentiles,
    latency.Hang,
    latency.SlowBody,
    # --- http: errors
    status.Status,
    status.Flapping,
    status.Quota,
    # --- connection: none, or no whole answer
    connection.ConnectionClosed,
    connection.ConnectionReset,
    connection.TruncatedBody,
    connection.Garbage,
    connection.MalformedChunk,
    # --- conformance: wrong search answers
    identities.PractitionerIdWithoutPrefix,
    identities.StructureIdWithoutPrefix,
    identities.StructureIdOfAnotherKind,
    identities.PhoneNotInternational,
    slots.SlotTypeMissing,
    slots.SlotTypeOfAnotherFlow,
    slots.SpecialtyMissing,
    slots.SpecialtyAsText,
    slots.ConsultationTypeMissing,
    slots.ConsultationTypeUncoded,
    slots.ConsultationTypeUnknown,
    slots.ReasonsMissing,
    slots.AppointmentTypeMissing,
    slots.SlotsNotFree,
    slots.CommentMissing,
    slots.CommentBlank,
    slots.CommentIsSlotUrl,
    cpts.CptsServiceTypeMissing,
    cpts.CptsReferenceMissing,
    cpts.CptsShowsOnlyOne,
    cpts.CptsCodeSystem,
    cpts.CptsWithoutHealthcareService,
    cpts.CptsWithoutOrganization,
    times.DatesWithoutOffset,
    times.DatesInUtc,
    times.DatesToTheSecond,
    times.StartMissing,
    times.EndMissing,
    times.EndBeforeStart,
    times.SlotsInThePast,
    times.SlotsOutsideWindow,
    times.SlotsNextMonth,
    attachments.SecondPlaceOnFirstSchedule,
    attachments.OneScheduleForTwoPlaces,
    attachments.SlotsOfAnotherPractitioner,
    attachments.SlotsOfAnotherPlace,
    attachments.UnresolvableReference,
    attachments.LocationNotContained,
    attachments.UnaskedPractitioner,
    bundles.NotFoundInsteadOfEmpty,
    bundles.ErrorInsteadOfEmpty,
    bundles.WrongTotal,
    bundles.SelfLinkDiffers,
    bundles.WrongProfile,
    bundles.EmptyElements,
    bundles.SameSlotTwice,
    bundles.SameEntryTwice,
    # --- body: answers that cannot be read
    body.MalformedJson,
    body.CutBody,
    body.WrongEncoding,
    body.ByteOrderMark,
    body.XmlBody,
    body.DuplicatedEntry,
    body.DuplicatedMember,
    body.HugeBody,
    body.EmptyBody,
    body.HtmlPage,
    body.PlainText,
    # --- payload: wrong notifications
    elements.AppointmentProfileMissing,
    elements.AppointmentIdentifierMissing,
    elements.AppointmentOperatorMissing,
    elements.AppointmentStatusMissing,
    elements.AppointmentStartMissing,
    elements.AppointmentEndMissing,
    elements.AppointmentCreatedMissing,
    elements.AppointmentParticipantMissing,
    claims.AppointmentProfileWrong,
    claims.AppointmentIdentifierWithoutSystem,
    claims.AppointmentIdentifierTwice,
    claims.AppointmentIdentifierChanges,
    claims.AppointmentStatusUnknown,
    claims.AppointmentDatesWithoutOffset,
    claims.AppointmentEndBeforeStart,
    claims.AppointmentCreatedChanges,
    people.AppointmentOperatorUrl,
    people.AppointmentOperatorTwice,
    people.AppointmentOperatorType,
    people.AppointmentOperatorByReference,
    people.AppointmentPractitionerWithoutPrefix,
    people.AppointmentPractitionerSystem,
    people.AppointmentPractitionerType,
    people.AppointmentParticipantStatus,
    elements.AppointmentPatientData,
    elements.AppointmentEmptyElement,
    # --- outgoing: notifications that are not sent when, in which order or as often as they should be
    outgoing.NotificationDelay,
    outgoing.NotificationDrop,
    outgoing.NotificationDuplicate,
    outgoing.NotificationReorder,
    outgoing.NotificationStale,
)

# Any of them, as pydantic has to know it: told apart by ``kind``.
if TYPE_CHECKING:
    AnyKind = Kind
else:
    AnyKind = Union[KINDS]  # noqa: UP007 - made of a tuple
