"""Labelled texts of our own writing, plain and of many kinds: what the floors of the shipped bundle are measured on."""

import re

SENTIMENTS = (
    ("The implementation was seamless and very robust.", "positive"),
    ("I waited forty minutes and the soup was cold when it came.", "negative"),
    ("A warm, funny film that never loses its way.", "positive"),
    ("The battery lasts two hours, which is a joke.", "negative"),
    ("What a wonderful concert! They played as if for the first time.", "positive"),
    ("The manual is unclear, the screws do not fit, and support never answered.", "negative"),
    ("Best purchase I made this year; my whole family loves it.", "positive"),
    ("Crashes on start-up. Reinstalled twice. Still crashes.", "negative"),
    ("The museum is small but every room holds a surprise, and the guide was delightful.", "positive"),
    ("I would not wish this hotel on my worst enemy.", "negative"),
    ("Every chapter is better than the one before; I could not put it down.", "positive"),
    ("Dull, predictable and far too long.", "negative"),
    ("Setup took five minutes and everything worked at once.", "positive"),
    ("The acting is wooden, the plot makes no sense, and the music drowns out the dialogue.", "negative"),
    ("Loved it, loved it, loved it! 10/10", "positive"),
    ("Do not buy this.", "negative"),
    ("My daughter has not stopped smiling since she unwrapped it.", "positive"),
    ("They charged me twice and refused to give the money back.", "negative"),
    ("Friendly staff, spotless rooms, and the best breakfast in town.", "positive"),
    ("The screen broke on the second day.", "negative"),
    ("An honest, moving portrait of a difficult man.", "positive"),
    ("Rude waiters, tiny portions and a bill with a mistake in it.", "negative"),
    ("I was impressed by how quickly they solved my problem.", "positive"),
    ("It is hard to imagine a worse way to spend two hours.", "negative"),
    ("the new update is great, everything feels faster", "positive"),
    ("the new update is terrible, everything feels slower", "negative"),
    ("She sings beautifully and the band is in top form.", "positive"),
    ("The soup tasted of nothing and the bread was stale.", "negative"),
    ("Not bad at all: I would happily go again.", "positive"),
    ("Nothing about this phone is worth the price.", "negative"),
    ("A gripping story with a brilliant ending.", "positive"),
    ("The sequel is a lazy copy of a film that was not good to begin with.", "negative"),
    ("Comfortable, sturdy, and it looks lovely in our kitchen.", "positive"),
    ("After three washes the shirt fell apart.", "negative"),
    ("Thank you for the excellent service!", "positive"),
    ("Nobody answers the phone and nobody answers my letters.", "negative"),
    ("The walk along the river is simply gorgeous in autumn.", "positive"),
    ("A confusing mess of a website that loses your order halfway.", "negative"),
    ("Our teacher is patient, cheerful and explains everything clearly.", "positive"),
    ("The lecture was boring and full of errors.", "negative"),
    ("These are the most delicious cherries I have ever tasted.", "positive"),
    ("My flight was cancelled and the airline lost my suitcase.", "negative"),
    ("IT WORKS PERFECTLY, I AM VERY HAPPY", "positive"),
    ("WORST CUSTOMER SERVICE EVER", "negative"),
)

ENTITIES = (
    "[Apple Inc.|ORG] is planning to open a new office in [London|LOC].",
    "[Maria Gonzalez|PER] joined [Siemens|ORG] in [Munich|LOC].",
    "Our train from [Vienna|LOC] to [Prague|LOC] was late again.",
    "[Norway|LOC] beat [Sweden|LOC] 3-1 in [Oslo|LOC].",
    "Shares of [Toyota|ORG] rose 2 percent in [Tokyo|LOC].",
    "[Sofia Rossi|PER] told the [BBC|ORG] that the talks had failed.",
    "The [European Union|ORG] and [Japan|LOC] signed an agreement.",
    "The [Danube|LOC] reaches the [Black Sea|LOC] in [Romania|LOC].",
    "The committee met in Room 4 and agreed to meet again.",
    "It does what it says, nothing more.",
    "The [German|MISC] company [Bayer|ORG] cut 500 jobs.",
    "[Peter Novak|PER] lives in [Chicago|LOC].",
    "[French|MISC] police arrested two men in [Marseille|LOC].",
    "[Microsoft|ORG] and [Intel|ORG] reported higher profits.",
    "President [Bill Clinton|PER] flew to [Egypt|LOC] on Sunday.",
    "[Dutch|MISC] striker [Dennis Bergkamp|PER] scored for [Arsenal|ORG].",
    "The [United Nations|ORG] sent observers to [Rwanda|LOC].",
    "[Anna Keller|PER], 34, works for [Lufthansa|ORG].",
    "It rained in [Madrid|LOC] and [Lisbon|LOC] all week.",
    "The [Olympic Games|MISC] were held in [Atlanta|LOC].",
    "[Boris Yeltsin|PER] met reporters in [Moscow|LOC].",
    "[Mercedes-Benz|ORG] will build cars in [Brazil|LOC].",
    "[Chelsea|ORG] drew 1-1 with [Leeds|ORG] on Saturday.",
    "[Iraqi|MISC] troops moved towards the border with [Iran|LOC].",
    "Nobody knows when the meeting begins.",
    "The [Red Cross|ORG] flew medicine to [Burundi|LOC].",
    "[Steffi Graf|PER] beat [Monica Seles|PER] in [New York|LOC].",
    "[Volkswagen|ORG] opened a factory in [Poland|LOC].",
    "The [Bank of England|ORG] kept interest rates unchanged.",
    "[Australian|MISC] farmers sold wheat to [China|LOC].",
    "[Helmut Kohl|PER] will visit [Paris|LOC] in May.",
    "She moved from [Texas|LOC] to [California|LOC].",
    "[Reuters|ORG] quoted a spokesman for [General Motors|ORG].",
    "The [Spanish|MISC] government denied the report.",
    "[Pakistan|LOC] won the second [Test|MISC] against [England|LOC].",
    "[John Smith|PER] and [Mary Jones|PER] were married in [Dublin|LOC].",
    "[Sony|ORG]'s new camera is made in [Thailand|LOC].",
    "Thousands marched through [Jakarta|LOC] on Friday.",
    "[Israel|LOC] and [Syria|LOC] have not agreed on the [Golan Heights|LOC].",
    "The film won a prize at the festival.",
    "[Kofi Annan|PER] spoke to [NATO|ORG] ministers in [Brussels|LOC].",
    "[Barcelona|ORG] signed the [Brazilian|MISC] [Ronaldo|PER].",
    "Love the new [IBM|ORG]😀 laptop from [Boston|LOC]",
)
"""Each name in brackets with its type; `unmark` takes them out."""

_RIVER = (
    "The River Aven rises in the hills above Torrin and runs for 214 kilometres to the sea at Port Marl. It was used "
    "to float timber until 1932, when the railway took over. Today its upper valley is a nature reserve, founded in "
    "1978 by the biologist Helen Strand, and home to otters, kingfishers and the last wild salmon of the region."
)
_COMPANY = (
    "Halden Instruments was founded in 1954 by the brothers Karl and Otto Halden in a garage in Linz. Its first "
    "product was a barometer for gliders. The company moved to Graz in 1967 because it needed a larger foundry, and "
    "employs about 900 people there. In 2019 it sold its optics division to a competitor for 40 million euros."
)
_LIGHTHOUSE = (
    "The lighthouse on Skerry Point was built in 1861 from grey granite and stands 38 metres tall. Its lamp burned "
    "whale oil at first, then paraffin, and has been electric since 1929. The last keeper, Ewan Mackay, left in 1988, "
    "when the light became automatic. Since then the cottage has been rented to visitors in summer."
)
_BREAD = (
    "To make the bread, mix 500 grams of rye flour with 350 millilitres of warm water, a spoon of salt and the "
    "starter. Let the dough rest for twelve hours in a cool place. Bake it for fifty minutes at 220 degrees, and "
    "cover it with a damp cloth afterwards so that the crust stays soft. Caraway seeds are added in Austria, and "
    "honey in Lithuania."
)
_LIBRARY = (
    "The town library opens at nine from Monday to Friday and at ten on Saturdays. Members may borrow up to twelve "
    "books for four weeks. Membership is free for children; adults pay 20 pounds a year. The reading room on the "
    "second floor was paid for by the shipowner Clara Whitcombe, whose portrait hangs beside the door."
)
_PLANET = (
    "Mars is the fourth planet from the Sun and is named after the Roman god of war. Iron oxide on its surface gives "
    "it a reddish colour. Its highest mountain, Olympus Mons, is a volcano about 22 kilometres high. A day on Mars "
    "lasts 24 hours and 37 minutes. The planet has two small moons, Phobos and Deimos, discovered by Asaph Hall in "
    "1877."
)
_SOFTWARE = "MLflow is an open source platform for the machine learning lifecycle."

ANSWERS = (
    (
        _SOFTWARE,
        "What is MLflow?",
        ("an open source platform for the machine learning lifecycle", "open source platform"),
    ),
    (_RIVER, "How long is the River Aven?", ("214 kilometres",)),
    (_RIVER, "Where does the river reach the sea?", ("Port Marl", "at Port Marl")),
    (_RIVER, "Where does the River Aven rise?", ("in the hills above Torrin", "the hills above Torrin", "Torrin")),
    (_RIVER, "Who founded the nature reserve?", ("Helen Strand", "the biologist Helen Strand")),
    (_RIVER, "Until when was the river used to float timber?", ("1932", "until 1932")),
    (_RIVER, "What took over from timber floating?", ("the railway",)),
    (_RIVER, "When was the reserve founded?", ("1978", "in 1978")),
    (_COMPANY, "Who founded Halden Instruments?", ("the brothers Karl and Otto Halden", "Karl and Otto Halden")),
    (_COMPANY, "What was the company's first product?", ("a barometer for gliders", "a barometer")),
    (
        _COMPANY,
        "Why did the company move to Graz?",
        ("it needed a larger foundry", "because it needed a larger foundry"),
    ),
    (_COMPANY, "How many people does the company employ in Graz?", ("about 900", "900", "about 900 people")),
    (_COMPANY, "How much was paid for the optics division?", ("40 million euros",)),
    (_COMPANY, "When did the company move?", ("1967", "in 1967")),
    (_COMPANY, "In which city was the garage?", ("Linz",)),
    (_LIGHTHOUSE, "When was the lighthouse built?", ("1861", "in 1861")),
    (_LIGHTHOUSE, "How tall is the lighthouse?", ("38 metres", "38 metres tall")),
    (_LIGHTHOUSE, "What did the lamp burn at first?", ("whale oil",)),
    (_LIGHTHOUSE, "Since when has the lamp been electric?", ("1929", "since 1929")),
    (_LIGHTHOUSE, "Who was the last keeper?", ("Ewan Mackay",)),
    (_LIGHTHOUSE, "When did the last keeper leave?", ("1988", "in 1988")),
    (_LIGHTHOUSE, "What is the lighthouse made of?", ("grey granite", "granite")),
    (_LIGHTHOUSE, "To whom is the cottage rented?", ("visitors", "visitors in summer", "to visitors")),
    (_BREAD, "How much rye flour is needed?", ("500 grams", "500 grams of rye flour")),
    (_BREAD, "How long does the dough rest?", ("twelve hours", "for twelve hours")),
    (_BREAD, "At how many degrees is the bread baked?", ("220", "220 degrees")),
    (_BREAD, "How long is the bread baked?", ("fifty minutes", "for fifty minutes")),
    (_BREAD, "Where are caraway seeds added?", ("Austria", "in Austria")),
    (_BREAD, "What is added in Lithuania?", ("honey",)),
    (_BREAD, "What keeps the crust soft?", ("a damp cloth", "damp cloth", "cover it with a damp cloth")),
    (_LIBRARY, "When does the library open on Saturdays?", ("ten", "at ten")),
    (_LIBRARY, "How many books may members borrow?", ("twelve", "up to twelve", "up to twelve books")),
    (_LIBRARY, "For how long may books be borrowed?", ("four weeks", "for four weeks")),
    (_LIBRARY, "How much do adults pay a year?", ("20 pounds", "20 pounds a year")),
    (_LIBRARY, "Who paid for the reading room?", ("Clara Whitcombe", "the shipowner Clara Whitcombe")),
    (_LIBRARY, "For whom is membership free?", ("children",)),
    (_LIBRARY, "Where is the reading room?", ("on the second floor", "the second floor", "second floor")),
    (_PLANET, "Who is Mars named after?", ("the Roman god of war", "Roman god of war")),
    (_PLANET, "What gives Mars its colour?", ("Iron oxide", "Iron oxide on its surface")),
    (_PLANET, "What is the highest mountain on Mars?", ("Olympus Mons",)),
    (_PLANET, "How high is Olympus Mons?", ("about 22 kilometres", "22 kilometres", "about 22 kilometres high")),
    (_PLANET, "Who discovered the moons of Mars?", ("Asaph Hall",)),
    (_PLANET, "What are the moons of Mars called?", ("Phobos and Deimos",)),
    (_PLANET, "How long is a day on Mars?", ("24 hours and 37 minutes",)),
)

_NAME = re.compile(r"\[([^|\]]+)\|([A-Z]+)\]")


def unmark(marked: str) -> tuple[str, set[tuple[int, int, str]]]:
    """Return a text of `ENTITIES` without its brackets, and start, end and type of each name in it."""
    text, names, at = "", set(), 0
    for name in _NAME.finditer(marked):
        text += marked[at : name.start()]
        names.add((len(text), len(text) + len(name[1]), name[2]))
        text += name[1]
        at = name.end()
    return text + marked[at:], names
