"""The command `deploybot`: turns what a person may mend into one line and an exit code."""

import sys

from deploy.errors import DeployError
from deploybot.cli.app import app
from deploybot.errors import DeploybotError


def main() -> int:
    """Run a command: 0 done, 1 not as wished, 2 a setting or argument is wrong."""
    try:
        app(standalone_mode=False)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except (DeploybotError, DeployError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
