"""Colours that a picture chooses by a figure; all others have names in page.css."""


def heat(at: int, of: int) -> str:
    """Return the colour of one load among several, from the lightest (cool) to the heaviest (hot), as a style."""
    percent = round(100 * at / max(of - 1, 1))
    return f"--c:color-mix(in oklab, var(--hot) {percent}%, var(--cool))"
