"""Makes model bundles: fine-tunes, exports, quantizes and scores the shared encoder."""

import os

# Before anything imports MLflow: a training on one's own texts reports to nobody but the server that it is told.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
