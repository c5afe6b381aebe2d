"""Numbers of things in words."""


def counted(number: int, name: str) -> str:
    """As `1 unit` and `2,000 units`.

    >>> counted(1, "group"), counted(2000, "pair"), counted(0, "copy")
    ('1 group', '2,000 pairs', '0 copies')
    """
    several = name[:-1] + "ies" if name.endswith("y") else name + ("es" if name.endswith("s") else "s")
    return f"{number:,} {name if number == 1 else several}"
