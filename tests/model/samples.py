"""Texts and questions of our own writing, of many kinds and lengths: what the two precisions must agree on."""

from tests.model.labelled import ANSWERS, ENTITIES, SENTIMENTS, unmark

TEXTS = (
    "The implementation was seamless and very robust.",
    "Apple Inc. is planning to open a new office in London.",
    "I waited forty minutes and the soup was cold when it came.",
    "A warm, funny film that never loses its way.",
    "The battery lasts two hours, which is a joke.",
    "Maria Gonzalez joined Siemens in Munich after ten years at Bosch.",
    "Our train from Vienna to Prague was late again, and nobody told us why.",
    "What a wonderful concert! The Berlin Philharmonic played as if for the first time.",
    "The manual is unclear, the screws do not fit, and support never answered.",
    "Dr. Amara Okafor, who teaches at the University of Lagos, won the prize on Friday.",
    "It does what it says, nothing more.",
    "Norway beat Sweden 3-1 in Oslo, and Erling Haaland scored twice.",
    "Best purchase I made this year; my whole family loves it.",
    "The Danube flows through ten countries before it reaches the Black Sea.",
    "Crashes on start-up. Reinstalled twice. Still crashes.",
    "Shares of Toyota rose 2 percent in Tokyo while Nissan fell.",
    "The museum is small but every room holds a surprise, and the guide was delightful.",
    "Sofia Rossi told the BBC that the talks in Geneva had failed.",
    "I would not wish this hotel on my worst enemy.",
    "Every chapter is better than the one before; I could not put it down.",
    "The European Union and Japan signed a trade agreement in Brussels on Tuesday.",
    "Dull, predictable and far too long.",
    "Professor Chen and her students at Stanford published the study in Nature.",
    "The new bridge over the Vistula in Warsaw opened in March, three years late, and the mayor, Jan Kowalski, thanked "
    "the engineers of Skanska and the patience of the people who live near it.",
    "Setup took five minutes and everything worked at once. I am impressed by how quiet it is, and the app, for a "
    "change, is a pleasure to use.",
    "The acting is wooden, the plot makes no sense, and the music drowns out what little dialogue there is. I left "
    "before the end, and so did half of the audience.",
    "In 1911 Roald Amundsen reached the South Pole, five weeks before Robert Scott, whose party died on the way back.",
    "Lukas Müller moved from Zürich to São Paulo, where he works for Embraer.",
    "😀 Loved it, loved it, loved it! 10/10",
    "The committee met in Room 4 and agreed to meet again.",
    *(text for text, _ in SENTIMENTS),
    *(unmark(marked)[0] for marked in ENTITIES),
)

QUESTIONS = tuple((context, question) for context, question, _ in ANSWERS)
