"""Names, places, things and openings that the stories of corpus.py are filled with."""

# Few names, which tell the pronoun, and none that is both a hero's and a friend's: so a
# small model learns to stay with a name within a short training.
HEROES = {"girl": ["Mia", "Lily", "Anna"], "boy": ["Tom", "Ben", "Max"],
          "she": ["Hazel", "Poppy"], "he": ["Pip", "Rusty"]}
FRIENDS = {"girl": ["Rosie", "Nora"], "boy": ["Sam", "Leo"],
           "she": ["Clover", "Willow"], "he": ["Dusty", "Button"]}
NAMES = sorted(name for names in (*HEROES.values(), *FRIENDS.values()) for name in names)

HE = {"he": "he", "him": "him", "his": "his", "himself": "himself"}
SHE = {"he": "she", "him": "her", "his": "her", "himself": "herself"}

ELDERS = [("mother", SHE), ("father", HE), ("grandmother", SHE), ("grandfather", HE)]

CHARACTER = ["little", "little", "little", "little", "young", "small", "kind", "brave", "clever",
             "curious", "shy", "cheerful", "gentle"]

FOREST = ["a green forest", "a cozy den under an old oak", "a quiet valley", "the deep woods",
          "a hollow tree"]
WATER = ["a nest of reeds by the river", "a little house by a pond", "a hut near a quiet lake",
         "a hole beside a sunny stream"]
FARM = ["a red barn", "a warm stable", "a big barn on a hill", "a barn near the village"]
ANIMALS = [("rabbit", FOREST), ("fox", FOREST), ("squirrel", FOREST), ("bear", FOREST),
           ("hedgehog", FOREST), ("mouse", FOREST), ("deer", FOREST), ("owl", FOREST),
           ("badger", FOREST), ("raccoon", FOREST), ("duck", WATER), ("frog", WATER),
           ("otter", WATER), ("beaver", WATER), ("turtle", WATER), ("kitten", FARM),
           ("puppy", FARM), ("lamb", FARM), ("goat", FARM), ("pony", FARM), ("piglet", FARM)]

HOMES = ["a small village", "a little house by the sea", "a cottage near the woods",
         "a quiet town", "a tall house on a hill", "a small town by the river",
         "a village near the mountains", "a yellow house with a blue door",
         "a farmhouse at the end of a long road", "a big city"]

PLACES = [
    {"place": "the park", "at": "in the park", "spot": "{under a bench|behind the swings|near the fountain|beside the slide}"},
    {"place": "the forest", "at": "in the forest", "spot": "{under a pine tree|behind a fallen log|in a patch of ferns|between two big roots}"},
    {"place": "the meadow", "at": "in the meadow", "spot": "{in the tall grass|under a bush|behind a gray rock|among the daisies}"},
    {"place": "the beach", "at": "on the beach", "spot": "{behind a sand dune|under an old boat|between two rocks|in a pile of seaweed}"},
    {"place": "the river", "at": "by the river", "spot": "{in the reeds|under the bridge|behind a big stone|beside a willow tree}"},
    {"place": "the garden", "at": "in the garden", "spot": "{under a rose bush|behind the shed|among the cabbages|beside the gate}"},
    {"place": "the lake", "at": "by the lake", "spot": "{under the dock|in the soft mud|behind a bush|beside an old boat}"},
    {"place": "the hill", "at": "on the hill", "spot": "{behind a mossy rock|under an apple tree|in a small hole|beside the stone wall}"},
    {"place": "the old orchard", "at": "in the old orchard", "spot": "{under a pear tree|in a pile of leaves|behind a basket|beside the wooden fence}"},
    {"place": "the market", "at": "at the market", "spot": "{under a fruit stand|behind a barrel|beside a cart|between two boxes}"},
]

COLORS = ["red", "blue", "green", "yellow", "orange", "purple", "pink", "white", "silver", "golden"]

HOBBIES = ["climb trees", "sing songs", "draw pictures", "count the stars", "collect shiny stones",
           "run in the grass", "read books", "watch the clouds", "splash in puddles",
           "tell funny jokes", "dance in the rain", "pick flowers", "listen to the birds",
           "build little houses out of sticks"]

TIMES = ["one day,", "one day,", "one day,", "one sunny morning,", "one afternoon,",
         "one bright morning,", "one warm day,", "one quiet afternoon,", "early one morning,",
         "on a warm spring day,"]
NIGHTS = ["one night,", "one night,", "one dark night,", "late one night,", "one windy night,"]
DIRECT_TIMES = ["one day,", "one day,", "one day,", "one sunny morning,", "one afternoon,",
                "one bright morning,", "one warm summer day,", "early one morning,"]

ONCE = ["Once upon a time, there was a [kind] named [n].",
        "Once upon a time, there was a [kind] named [n].",
        "Once upon a time, there was a [kind] named [n] who lived in [home].",
        "Once upon a time, in [home], there lived a [kind] named [n].",
        "Once upon a time, a [kind] named [n] lived in [home]."]
OTHER_STARTS = ["Long ago, there was a [kind] named [n].",
                "There once was a [kind] named [n] who lived in [home].",
                "[n] was a [kind] who lived in [home].",
                "[n] was a [kind].",
                "In [home], there lived a [kind] named [n].",
                "This is the story of a [kind] named [n].",
                "A [kind] named [n] lived in [home]."]

TRAITS = ["[He] loved to [hobby].",
          "[He] loved to [hobby] with [his] friends.",
          "Every day, [he] liked to [hobby].",
          "[He] was always {happy|busy|smiling}, and [he] loved to [hobby].",
          "[He] lived with [elder] and loved to [hobby]."]
