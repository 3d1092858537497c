"""What every process says of itself: log lines and traces. Of ours it imports `schemas` alone."""
