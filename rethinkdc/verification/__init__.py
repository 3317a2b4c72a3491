"""What is on record, computed again: from the files that lie beside records, or by training anew."""

from rethinkdc.verification.results import Checked, Fault, Replay, Verification
from rethinkdc.verification.verifying import verify_records

__all__ = ["Checked", "Fault", "Replay", "Verification", "verify_records"]
