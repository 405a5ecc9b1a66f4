"""Short questions with their answers, and requests for a story, for corpus.py."""

from lexicon import COLORS, NAMES

SAYS = {"cow": "moo", "dog": "woof", "cat": "meow", "duck": "quack", "sheep": "baa", "pig": "oink",
        "horse": "neigh", "frog": "ribbit", "owl": "hoot", "mouse": "squeak", "bee": "buzz",
        "lion": "roar", "hen": "cluck", "snake": "hiss"}
COLOR = {"a banana": "yellow", "grass": "green", "the sky": "blue", "snow": "white", "a carrot": "orange",
         "a strawberry": "red", "coal": "black", "a lemon": "yellow", "a frog": "green",
         "an elephant": "gray", "a pumpkin": "orange", "milk": "white", "a crow": "black",
         "chocolate": "brown", "a flamingo": "pink", "a plum": "purple"}
LIVES = {"fish": "in the water", "bear": "in the forest", "bird": "in a nest", "cow": "on a farm",
         "camel": "in the desert", "whale": "in the sea", "bee": "in a hive", "fox": "in a den",
         "monkey": "in the jungle", "penguin": "on the ice", "spider": "in a web",
         "mole": "under the ground"}
EATS = {"rabbit": "carrots and grass", "cow": "grass", "monkey": "bananas and leaves",
        "squirrel": "nuts", "horse": "hay and oats", "lion": "meat", "panda": "bamboo",
        "mouse": "seeds and crumbs", "bear": "berries, fish and honey", "duck": "plants and bugs",
        "goat": "grass and leaves"}
BABY = {"dog": "puppy", "cat": "kitten", "cow": "calf", "sheep": "lamb", "duck": "duckling",
        "horse": "foal", "bear": "cub", "frog": "tadpole", "hen": "chick", "goat": "kid",
        "pig": "piglet", "goose": "gosling"}
LEGS = {"spider": "eight", "dog": "four", "bird": "two", "ant": "six", "cat": "four", "fish": "no",
        "horse": "four", "snake": "no", "bee": "six", "duck": "two"}
OPPOSITE = {"hot": "cold", "big": "small", "up": "down", "day": "night", "happy": "sad", "fast": "slow",
            "wet": "dry", "open": "closed", "old": "young", "loud": "quiet", "light": "dark",
            "hard": "soft", "full": "empty", "high": "low", "in": "out", "good": "bad",
            "long": "short", "early": "late"}
BIGGER = [("elephant", "mouse"), ("horse", "cat"), ("whale", "fish"), ("bear", "bee"), ("cow", "hen"),
          ("tree", "flower"), ("house", "box"), ("mountain", "hill"), ("lake", "puddle"),
          ("truck", "bike"), ("lion", "kitten")]
THINGS = ["ball", "hat", "kite", "drum", "boat", "bell", "book", "scarf", "doll", "cup"]
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
FACTS = [
    ("How many days are in a week?", "There are seven days in a week."),
    ("How many months are in a year?", "There are twelve months in a year."),
    ("How many seasons are there?", "There are four seasons: spring, summer, fall and winter."),
    ("What do bees make?", "Bees make honey."),
    ("What do we see at night in the sky?", "At night we see the moon and the stars."),
    ("What is ice made of?", "Ice is made of frozen water."),
    ("Why do we sleep?", "We sleep because our bodies need rest."),
    ("Why do birds have wings?", "Birds have wings so that they can fly."),
    ("What do plants need to grow?", "Plants need water, light and soil to grow."),
    ("What comes after winter?", "Spring comes after winter."),
    ("What comes after summer?", "Fall comes after summer."),
    ("What do you use to cut paper?", "You use scissors to cut paper."),
    ("What do you wear on your feet?", "You wear shoes on your feet."),
    ("What do you wear on your head?", "You wear a hat on your head."),
    ("What shape is a ball?", "A ball is round."),
    ("What is the sun?", "The sun is a star that gives us light and warmth."),
    ("Where does rain come from?", "Rain comes from the clouds."),
    ("Where does milk come from?", "Milk comes from cows."),
    ("What do you say when someone gives you a gift?", "You say thank you."),
    ("What should you do when you make a mistake?", "You should say sorry and try again."),
    ("How can you make a friend?", "You can say hello, smile and ask someone to play."),
    ("What is a good friend?", "A good friend is kind, helps you and tells the truth."),
    ("Who are you?", "I am a very small language model that likes to tell stories."),
    ("What can you do?", "I can tell short stories and answer easy questions."),
    ("What is your name?", "I do not have a name. I am a little storyteller."),
    ("How are you?", "I am fine, thank you."),
    ("Are you a person?", "No, I am a small computer program."),
]


def article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def capital(text):
    return text[0].upper() + text[1:]


def says(rng):
    animal, sound = rng.choice(list(SAYS.items()))
    return f"What does {article(animal)} say?", f"{capital(article(animal))} says {sound}."


def color(rng):
    thing, value = rng.choice(list(COLOR.items()))
    return f"What color is {thing}?", f"{capital(thing)} is {value}."


def lives(rng):
    animal, place = rng.choice(list(LIVES.items()))
    return f"Where does {article(animal)} live?", f"{capital(article(animal))} lives {place}."


def eats(rng):
    animal, food = rng.choice(list(EATS.items()))
    return f"What does {article(animal)} eat?", f"{capital(article(animal))} eats {food}."


def baby(rng):
    animal, young = rng.choice(list(BABY.items()))
    return f"What is a baby {animal} called?", f"A baby {animal} is called {article(young)}."


def legs(rng):
    animal, count = rng.choice(list(LEGS.items()))
    return (f"How many legs does {article(animal)} have?",
            f"{capital(article(animal))} has {count} legs.")


def opposite(rng):
    pair = rng.choice(list(OPPOSITE.items()))
    one, other = pair if rng.random() < 0.5 else pair[::-1]
    return f"What is the opposite of {one}?", f"The opposite of {one} is {other}."


def bigger(rng):
    big, small = rng.choice(BIGGER)
    one, other = rng.sample((big, small), 2)
    return (f"Which is bigger, {article(one)} or {article(other)}?",
            f"{capital(article(big))} is bigger than {article(small)}.")


def day(rng):
    at = rng.randrange(7)
    return f"Which day comes after {DAYS[at]}?", f"{DAYS[(at + 1) % 7]} comes after {DAYS[at]}."


def counting(rng):
    at = rng.randrange(1, 12)
    return (f"Which number comes after {NUMBERS[at]}?",
            f"The number {NUMBERS[at + 1]} comes after {NUMBERS[at]}.")


def adding(rng):
    one, two = rng.randrange(1, 6), rng.randrange(1, 6)
    return f"What is {one} plus {two}?", f"{one} plus {two} is {one + two}."


def own_name(rng):
    name = rng.choice(NAMES)
    return f"My name is {name}. What is my name?", f"Your name is {name}."


def greeting(rng):
    name = rng.choice(NAMES)
    return f"Hello! I am {name}.", f"Hello, {name}! Nice to meet you."


def who_has(rng):
    names = rng.sample(NAMES, 2)
    things = [f"{rng.choice(COLORS)} {thing}" for thing in rng.sample(THINGS, 2)]
    told = " ".join(f"{name} has a {thing}." for name, thing in zip(names, things))
    at = rng.randrange(2)
    if rng.random() < 0.5:
        return f"{told} Who has the {things[at]}?", f"{names[at]} has the {things[at]}."
    return f"{told} What does {names[at]} have?", f"{names[at]} has a {things[at]}."


def fact(rng):
    return rng.choice(FACTS)


KINDS = (says, color, lives, eats, baby, legs, opposite, bigger, day, counting, adding,
         own_name, own_name, greeting, who_has, fact, fact, fact, fact)


def dialogue(rng):
    """Return one to four questions with their answers, in one of two forms."""
    ask, reply = rng.choice((("Question", "Answer"), ("User", "Assistant")))
    turns = []
    while len(turns) < rng.choice((1, 2, 3, 4)):
        turn = rng.choice(KINDS)(rng)
        if turn not in turns:
            turns.append(turn)
    return "\n".join(f"{ask}: {question}\n{reply}: {answer}" for question, answer in turns)


def story_request(rng, env, text):
    """Return a request for the given story, with the story as the answer."""
    being, name = env["being"], env["n"]
    request = rng.choice(("Tell me a story.", "Please tell me a story.",
                          f"Tell me a story about {article(being)}.",
                          f"Tell me a story about {article(being)} named {name}.",
                          f"Please tell me a story about {article(being)}."))
    return f"User: {request}\nAssistant: {text}"
