"""A browser in words, from its User-Agent: "Firefox on Windows". For people to recognise, not for decisions."""

# The first mark found decides: browsers name those they descend from as well.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python", "Python"),
    ("Python", "Python"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def first_found(text: str, marks: tuple[tuple[str, str], ...]) -> str:
    """The name of the first mark that `text` holds, or nothing."""
    return next((name for mark, name in marks if mark in text), "")


def browser_words(user_agent: str) -> str:
    """The browser and its system; "Unknown browser" when the text tells neither."""
    browser = first_found(user_agent, BROWSERS)
    system = first_found(user_agent, SYSTEMS)
    if browser and system:
        return f"{browser} on {system}"
    return browser or (f"A browser on {system}" if system else "Unknown browser")
