"""python -m augcore"""

from augcore.cli import main

if __name__ == "__main__":
    main()
