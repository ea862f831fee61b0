"""pyarrow, which states no types: here it gets the type that it has, Any."""

from __future__ import annotations

from typing import Any

import pyarrow
import pyarrow.ipc
import pyarrow.parquet

pa: Any = pyarrow
pq: Any = pyarrow.parquet
