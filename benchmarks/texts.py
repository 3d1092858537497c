"""The texts of every measurement: written by us, drawn by a seed, from tweets to pages."""

import random
from math import log

NAMES = (
    "Ada Brenner", "Tomas Okafor", "Mei-Ling Hart", "J. R. Lindqvist", "Samir Bouaziz", "Carla de Witt", "Noor Haddad",
    "Peter O'Shea", "Ingrid Solberg", "Rafael Quintana", "Yuki Tanabe", "Olena Marchuk",
)  # fmt: skip
COMPANIES = (
    "Brightwater Foods", "Halden & Sons", "Northgate Rail", "Orbis Optics Inc.", "Kestrel Airlines", "Polar Mutual",
    "Finch Robotics", "Tessera Bank", "Vale River Brewing Co.", "Quarry Street Press",
)  # fmt: skip
PLACES = (
    "London", "Rotterdam", "Nairobi", "São Paulo", "Osaka", "Montreal", "Kraków", "Perth", "Bergen", "Casablanca",
    "New Mexico", "the Lower Danube", "U.S.",
)  # fmt: skip
GOOD = ("wonderful", "quick", "generous", "beautifully made", "well-lit", "reliable", "surprisingly funny", "spotless")
BAD = ("dreadful", "slow", "overpriced", "badly translated", "noisy", "unreliable", "half-finished", "tasteless")
THINGS = (
    "film", "service", "update", "hotel", "keyboard", "concert", "delivery", "menu", "app", "timetable", "museum",
    "handbook", "translation", "refund", "conference", "headset",
)  # fmt: skip
TIMES = (
    "on Monday", "last spring", "after three weeks", "at 7:45 p.m.", "in 2019", "this morning", "two days late",
    "during the second half", "before the holidays",
)  # fmt: skip
SENTENCES = (
    "The {thing} was {good}, and I would go back {time}.",
    "The {thing} was {bad} and nobody from {company} answered my letters.",
    "{name} of {company} said {time} that the {thing} in {place} would stay open.",
    "I'd call it {good}, though the {other} was {bad}!",
    "{company} moved its {thing} from {place} to {elsewhere} {time}, which cost {number} people their jobs.",
    "We don't know why {name} left {place}; the {thing} has been {bad} ever since.",
    'Ask {name}, who reviewed the {thing} for {company}: "{good}, if a little {bad}".',
    "About {number} visitors came to {place} {time} to see the {good} {thing}.",
    "Is there any {thing} in {place} that isn't {bad}?",
    "Between {place} and {elsewhere} the {thing} is run by {company}, a {good} firm with {number} employees.",
    "@{handle} the {thing} is {good} 👍 #{tag}",
    "It took {number} minutes, the {other} had to be replaced {time}, and {name} paid for both.",
    "According to a report from {place}, {company} expects a {good} year; {name} disagrees.",
    "The {other}? {bad}. The {thing}? {good}.",
)
MEDIAN_WORDS = 28
SPREAD = 1.0
"""Standard deviation of the logarithm of the lengths."""
FEWEST_WORDS, MOST_WORDS = 5, 900


def draw_texts(count: int, seed: int = 4) -> list[str]:
    """Return `count` different texts, the same for the same seed; a longer list begins with the shorter one.

    Their lengths in words are log-normal: half below 28 words, one in twenty above 150, some of several windows.
    """
    draw = random.Random(seed)
    texts: dict[str, None] = {}
    while len(texts) < count:
        words = round(draw.lognormvariate(log(MEDIAN_WORDS), SPREAD))
        texts[_text(draw, min(MOST_WORDS, max(FEWEST_WORDS, words)))] = None
    return list(texts)


def _text(draw: random.Random, least_words: int) -> str:
    """Return a text of at least `least_words` words, some sentences to a paragraph."""
    text = _sentence(draw)
    while len(text.split()) < least_words:
        text += ("\n\n" if draw.random() < 0.15 else " ") + _sentence(draw)
    return text


def _sentence(draw: random.Random) -> str:
    sentence = draw.choice(SENTENCES).format(
        name=draw.choice(NAMES),
        company=draw.choice(COMPANIES),
        place=draw.choice(PLACES),
        elsewhere=draw.choice(PLACES),
        good=draw.choice(GOOD),
        bad=draw.choice(BAD),
        thing=draw.choice(THINGS),
        other=draw.choice(THINGS),
        time=draw.choice(TIMES),
        number=draw.randint(2, 9_999),
        handle=draw.choice(NAMES).split()[-1].lower(),
        tag=draw.choice(THINGS),
    )
    return sentence[0].upper() + sentence[1:]
