"""The program that makes pages lies in the repository alone; last in the path, so that it hides nothing installed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
