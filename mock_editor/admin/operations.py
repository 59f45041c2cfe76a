"""What ``/_admin`` and the console both do to the simulator's state."""

from mock_editor.accounts.regulators import Regulators
from mock_editor.booking.sessions import Sessions
from mock_editor.calendars.appointments import Appointments


def reset(regulators: Regulators, appointments: Appointments, sessions: Sessions) -> None:
    """Puts the state back to what the scenario says."""
    sessions.reset()
    appointments.reset()
    regulators.reset()
