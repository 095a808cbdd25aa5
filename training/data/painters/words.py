"""Words, sentences, numbers and lines of program text.

What is of the script "latin" is plain ASCII: every face has it.
"""

import numpy as np

from training.data.painters.chance import happens, pick, whole


def _listed(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


_LATIN = _listed(
    """
    the of and to in is you that it he was for on are as with his they at be this have from or
    one had by word but not what all were we when your can said there use an each which she do
    how their if will up other about out many then them these so some her would make like him
    into time has look two more write go see number no way could people my than first water
    been call who oil its now find long down day did get come made may part over new sound
    take only little work know place year live back give most very after thing our just name
    good sentence man think say great where help through much before line right too mean old
    any same tell boy follow came want show also around form three small set put end does
    another well large must big even such because turn here why ask went men read need land
    different house picture try us again animal point mother world near build self earth
    father Europe London January Figure Table Chapter section algorithm therefore quantity
    measurement photograph illustration
    """
)
_ACCENTS = _listed(
    """
    über größe straße fünf schön Öl année élève forêt garçon château naïve cœur où niño mañana
    corazón año canción são informação coração però città perché łódź żółć gęś źródło kůň
    příliš žluťoučký řeka čas kávé őrült tükörfúró şehir ağaç İstanbul ölçü ærø blåbær på være
    þing það smörgås être Ünal ça déjà vu pâté crème brûlée Müller Åse Ñandú fête 19,99€ 21°C
    40m² §7 ±3 ½ ©2024 «où» ¿qué?
    """
)
_GREEK = _listed(
    """
    και το της για με που από είναι στην θα να δεν ένα οι αυτό κόσμος γράμμα ημέρα ζωή θάλασσα
    άνθρωπος Ελλάδα Αθήνα φως χρόνος λόγος ψυχή ξένος βιβλίο μέρα νερό δρόμος σπίτι αλφάβητο
    """
)
_CYRILLIC = _listed(
    """
    и в не на что он с как это по но из у за от так же для вы мы они человек время дело жизнь
    день рука работа слово место вопрос лицо друг город Москва страна мир книга дом школа
    земля щука объём ёлка эхо юг яблоко Україна їжа євро город вечер писать
    """
)

VOCABULARY = {"latin": _LATIN, "accents": _ACCENTS, "greek": _GREEK, "cyrillic": _CYRILLIC}
LABELS = _listed(
    """
    File Edit View Insert Format Tools Window Help Open Save Cancel OK Apply Close New Delete
    Copy Paste Search Settings Home Back Next Share Profile Messages Inbox Sent Drafts
    Downloads Documents Pictures Music Videos Network Display Sound Battery Privacy Account
    Log Sign Name Size Type Modified Today Yesterday Total Price Quantity Status Active
    Pending Error Warning Success Retry Update Install Volume Brightness Language Password
    Email Username Address Phone Filter Sort Zoom Undo Redo
    """
)
UNITS = ("kg", "m/s", "C", "mm", "%", "kB", "ms", "EUR", "$", "kWh", "dB", "Hz", "pcs")


def words(rng: np.random.Generator, count: int, script: str = "latin") -> list[str]:
    """That many words of a script; accented ones come among plain Latin ones."""
    vocabulary = VOCABULARY[script]
    if script == "accents":
        vocabulary = vocabulary + _LATIN[:50]
    return [vocabulary[i] for i in rng.integers(0, len(vocabulary), count)]


def prose(rng: np.random.Generator, count: int, script: str = "latin") -> list[str]:
    """That many words with capitals, full stops, commas and a number here and there."""
    chosen = words(rng, count, script)
    marks = rng.random(count)
    capital = True
    for i, mark in enumerate(marks):
        word = chosen[i].capitalize() if capital else chosen[i]
        capital = mark < 0.09
        if mark < 0.09:
            word += "." if mark < 0.07 else pick(rng, ("?", "!", ":"))
        elif mark < 0.16:
            word += ","
        elif mark < 0.19:
            word = number(rng)
        elif mark < 0.2:
            word = f'"{word}"' if script == "latin" else f"“{word}”"
        elif mark < 0.21:
            word = f"({word})"
        chosen[i] = word
    return chosen


def wrap(parts: list[str], letters: int) -> list[str]:
    """Lines of at most this many letters (a longer word has its own line)."""
    lines, line = [], ""
    for part in parts:
        if line and len(line) + 1 + len(part) > letters:
            lines.append(line)
            line = part
        else:
            line = f"{line} {part}" if line else part
    return [*lines, line] if line else lines


def number(rng: np.random.Generator) -> str:
    """A number as tables and receipts have them."""
    value = float(rng.random()) * 10 ** whole(rng, 0, 5)
    kind = whole(rng, 0, 6)
    if kind < 2:
        return f"{value:.2f}"
    if kind == 2:
        return f"{int(value):,}"
    if kind == 3:
        return f"{value / 1000:.1f}%"
    if kind == 4:
        return f"{whole(rng, 1990, 2035)}-{whole(rng, 1, 12):02d}-{whole(rng, 1, 28):02d}"
    if kind == 5:
        return f"{whole(rng, 0, 23):02d}:{whole(rng, 0, 59):02d}"
    return f"{int(value)} {pick(rng, UNITS)}"


def label(rng: np.random.Generator) -> str:
    """One or two words of an interface."""
    return " ".join(pick(rng, LABELS) for _ in range(1 + happens(rng, 0.3)))


Token = tuple[str, int]
PLAIN, KEYWORD, STRING, COMMENT, NUMBER, FUNCTION = range(1, 7)


def code_line(rng: np.random.Generator) -> list[Token]:
    """One line of a program: its pieces, each with its place in a row of colors.SYNTAX."""
    a, b, c = words(rng, 3)
    indent = "    " * whole(rng, 0, 3)
    kind = whole(rng, 0, 9)
    if kind == 0:
        return [(indent + "# " + " ".join(words(rng, whole(rng, 3, 8))), COMMENT)]
    if kind == 1:
        return [
            ("def ", KEYWORD),
            (a, FUNCTION),
            (f"({b}, {c}=", PLAIN),
            ("0", NUMBER),
            ("):", PLAIN),
        ]
    if kind == 2:
        return [(indent + "for ", KEYWORD), (a, PLAIN), (" in ", KEYWORD), (f"{b}[{c}]:", PLAIN)]
    if kind == 3:
        return [(indent + "return ", KEYWORD), (b, FUNCTION), (f"({a}) + ", PLAIN), ("1", NUMBER)]
    if kind == 4:
        text = " ".join(words(rng, whole(rng, 1, 5)))
        return [(indent + "print", FUNCTION), ("(", PLAIN), (f'"{text}"', STRING), (")", PLAIN)]
    if kind == 5:
        return [(f"{indent}{a}->{b} = ", PLAIN), (hex(whole(rng, 0, 65535)), NUMBER), (";", PLAIN)]
    if kind == 6:
        return [(indent + "if ", KEYWORD), (f"({a} != {b} && {c}) {{", PLAIN)]
    if kind == 7:
        return [(indent + "}", PLAIN)]
    if kind == 8:
        return []
    return [
        (f"{indent}{a} = ", PLAIN),
        (f"'{b}.{c}'", STRING),
        (", ", PLAIN),
        (number(rng), NUMBER),
    ]


def terminal_line(rng: np.random.Generator) -> str:
    """One line of what programs print."""
    a, b = words(rng, 2)
    kind = whole(rng, 0, 4)
    if kind == 0:
        return f"user@{a}:~/{b}$ {pick(rng, ('ls -la', 'git status', 'make test', 'cd ..', 'top'))}"
    if kind == 1:
        return (
            f"-rw-r--r-- 1 root root {whole(rng, 0, 99999):>6} Jan {whole(rng, 1, 28):>2} {a}.{b}"
        )
    if kind == 2:
        return f"[{whole(rng, 0, 23):02d}:{whole(rng, 0, 59):02d}] INFO {a}: {b} {number(rng)}"
    if kind == 3:
        return f"{a:<14}{number(rng):>12}{number(rng):>12}"
    return " ".join(words(rng, whole(rng, 2, 9)))
