"""``python -m archpredict`` is the command ``archpredict``."""

from archpredict.cli.main import main

if __name__ == "__main__":
    main(prog_name="archpredict")
