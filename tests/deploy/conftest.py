"""The chart's tests need Go and kubernetes-validate, which `make test-chart` installs."""

import os

collect_ignore_glob = [] if os.environ.get("CHART_TESTS") else ["test_*.py"]
