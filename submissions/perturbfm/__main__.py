"""`python -m perturbfm`, for `torchrun -m perturbfm`."""

import sys

from perturbfm.pretrain.command import main

sys.exit(main())
