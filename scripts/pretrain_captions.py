"""The words of pretraining: names of classes, phrases that name a style, and the vocabulary."""

from __future__ import annotations

import random
import re

SYNONYMS: dict[str, tuple[str, ...]] = {
    "airplane": ("airplane", "plane", "aeroplane"),
    "car": ("car", "automobile"),
    "ship": ("ship", "boat", "sailboat"),
    "motorcycle": ("motorcycle", "motorbike"),
    "face": ("face", "human face"),
    "watch": ("watch", "wrist watch"),
    "person": ("person", "human"),
}
"""Other names of a class; a class that is missing here goes by its own name alone."""

SAME_CLASS: dict[str, str] = {
    "airplanes": "airplane",
    "automobile": "car",
    "car side": "car",
    "windsor chair": "chair",
    "Faces": "face",
    "flamingo head": "flamingo",
    "Leopards": "leopard",
    "Motorbikes": "motorcycle",
    "ketch": "ship",
    "schooner": "ship",
    "water lilly": "water lily",
}
"""Categories of the data sets that we know under another name."""

PHRASES: dict[str, tuple[str, ...]] = {
    "photograph": ("a photo", "a photo", "a photograph", "a good photo", "a color photo"),
    "pencil": ("a pencil drawing", "a pencil sketch", "an outline drawing", "a pencil picture"),
    "cartoon": ("a cartoon", "a cartoon drawing", "a cartoon picture", "a flat cartoon"),
    "night": ("a dark photo", "a night photo", "a noisy dark photo", "a photo at night"),
    "painting": ("a painting", "an oil painting", "an art painting", "a painted picture"),
    "sketch": ("a sketch", "a rough sketch", "a simple sketch", "a line sketch"),
}
"""How captions name each style."""

OPENINGS = (
    "",
    "",
    "",
    "this is",
    "here is",
    "look at",
    "here we can see",
    "there is",
    "on this page we see",
    "in the middle of this page there is",
    "and here on this page of the book we see",
)
LINKS = ("of a", "of a", "of the", "of one", "showing a", "of a small", "of a large", "of a nice")

IMAGE_WORDS = """
abstract acrylic aged antique aquarelle art artistic background beautiful best black blue blurred
blurry bright brown brush camera caricature cartoon chalk charcoal clean clear clipart clip close
cloudy color colored colorful colour comic contrast cool copy crayon cropped cubist dark dawn day
daylight dim dirty drawing drawn dusk dusty edge edges engraving etching evening fabric fake
famous faint flat fog foggy frame fuzzy gallery gray green grey grainy graffiti hand hazy
high illustration image images impressionist indoor infograph ink item jpeg large light line
little logo low manga mosaic motion mural muted nature neon night noise noisy object of oil old
online orange origami outdoor outline overcast page painted painting paper park pastel pattern
pencil photo photograph photographic photos picture pink pixel pixelated plastic plush pop
portrait poster posterised posterized print product purple quick quickdraw rainy real realistic
red rendering rendition retro rough scan scene sculpture sepia shadow sharp shop silhouette
simple sketch sketchy small snow snowy soft stained stencil street studio style sun sunny tattoo
texture thermal tinted toon tiny toy traced twilight two vector video view vintage vivid
warm water watercolor website weird white wide winter without wood wooden yellow yet
about above after all an and another any are as at be before behind below beside between but by
can clearly different each every few for from front has have he her here his how i in inside into
is it its just like look looks made many me middle more most my near new next nice no not
on one only or other our out outside over own piece seen see she show showing shown shows side some
taken than that the their them there these they thing this those three through to too top
type under up us very was we well what when where which while who will with you your
"""

EVERYDAY_NAMES = """
alarm apple aquarium aquatic baby backpack bag ball bathtub batteries bear beaver bed bee beetle
bicycle bike bird boat book bookcase bottle bowl boy bread bridge bucket bus cabinet cake
calculator camel can candles car castle cat caterpillar cattle cellphone chair chimpanzee city
clipboards clock cloud coffee computer couch cow crocodile cup curtains desk desktop dinosaur dog
dolphin donkey door drill elephant elk eraser exit eye face fan file finger fish flatfish
flipflops flower flowers folder fork forest fox frog fruit girl glass glasses guitar hammer
hamster hand head headphones helmet horse house human insect jaguar kangaroo kettle key keyboard
kite knife knives lamp laptop lawn leaf leopard letter lion lizard lobster lotus man maple marker
meerkat mobile monitor mop motorcycle motorbike mountain mouse mower mug mushroom notebook oak
orchid otter oven palm pan paper pear pen people pepper person phone pickup pine plain plane plate
poppy porcupine possum postit printer projector punchers push rabbit raccoon radio ray refrigerator
ring road rocket rose ruler scissors sea seal screwdriver shark ship shoe shelf shrew sign sink
skunk sky skyscraper sneakers snail snake soda spider spoon squirrel sofa speaker star streetcar
sunflower sweet table tank tape telephone television tiger toothbrush toys tractor train trash
tray tree trout truck tulip turtle tv wardrobe watch webcam whale willow wolf woman worm zebra
aeroplane automobile sailboat wrist cougar wild lily tumor cell tissue healthy
"""

MARKS = ". , ; : ! ? ' \" - ( ) / & + % # 0 1 2 3 4 5 6 7 8 9"


def pieces(text: str) -> list[str]:
    """Split `text` into the words and marks that the tokenizer knows."""
    return re.findall(r"[a-z0-9]+|[^\sa-z0-9]", text.lower())


def vocabulary(class_names: list[str]) -> list[str]:
    """Return the sorted vocabulary: all words above and those of `class_names`."""
    texts = [*class_names, IMAGE_WORDS, EVERYDAY_NAMES, MARKS, *OPENINGS, *LINKS]
    texts += [name for names in SYNONYMS.values() for name in names]
    texts += [phrase for phrases in PHRASES.values() for phrase in phrases]
    return sorted({piece for text in texts for piece in pieces(text)})


def caption(name: str, style: str, chance: random.Random) -> str:
    """Return a caption that names the class and the style."""
    names = SYNONYMS.get(name, (name,))
    shown = names[0] if chance.random() < 0.6 else chance.choice(names)
    opening, phrase, link = chance.choice(OPENINGS), chance.choice(PHRASES[style]), "of a"
    if chance.random() < 0.5:
        link = chance.choice(LINKS)
    end = " ." if chance.random() < 0.9 else ""
    return f"{opening} {phrase} {link} {shown}{end}".strip()
