"""What the service runs on in AWS: the stack, its deployment, its price."""

import os
import sys
from pathlib import Path

# jsii, under aws_cdk, starts Node when it is imported: the one of this environment, so that no other need be installed.
os.environ.setdefault("JSII_NODE", str(Path(sys.prefix, "bin", "node")))
