package keys

// wordList is our list of safety words: 256 common English nouns that differ
// in their first four letters and by at least two edits, so that a word
// misheard is rarely another one of them. The position is the byte.
func wordList() *[256]string {
	return &[256]string{
		"acorn", "actor", "album", "alley", "amber", "anchor", "angel", "ankle",
		"anvil", "apple", "apron", "arrow", "aspen", "attic", "autumn", "bacon",
		"badge", "bagel", "baker", "bamboo", "banjo", "barley", "basil", "basket",
		"beach", "beetle", "berry", "bishop", "blanket", "blossom", "bonfire", "bottle",
		"boulder", "breeze", "brick", "bridge", "broom", "bucket", "buffalo", "bugle",
		"butter", "cabin", "cactus", "camel", "candle", "canoe", "canyon", "captain",
		"caramel", "carpet", "carrot", "castle", "cedar", "cello", "chalk", "cherry",
		"chess", "chimney", "cider", "circus", "clover", "cobalt", "coconut", "comet",
		"copper", "coral", "cotton", "cousin", "cradle", "crayon", "cricket", "cuckoo",
		"dahlia", "daisy", "dancer", "denim", "desert", "dinner", "doctor", "donkey",
		"dragon", "eagle", "easel", "echo", "elbow", "elder", "engine", "falcon",
		"farmer", "fiddle", "finger", "flute", "forest", "frost", "gadget", "galaxy",
		"garden", "garlic", "goblet", "grape", "gravel", "guitar", "hammer", "harbor",
		"hazel", "helmet", "heron", "hobby", "honey", "hotel", "hunter", "igloo",
		"indigo", "island", "ivory", "jacket", "jaguar", "jelly", "jersey", "jigsaw",
		"jockey", "jungle", "kayak", "kettle", "kidney", "kiwi", "koala", "ladder",
		"lagoon", "lava", "lemon", "lilac", "linen", "lizard", "llama", "lotus",
		"lumber", "magnet", "mango", "maple", "marble", "meadow", "medal", "melon",
		"mirror", "mitten", "mosaic", "muffin", "museum", "napkin", "nectar", "needle",
		"nickel", "noodle", "nutmeg", "oasis", "ocean", "olive", "onion", "orbit",
		"otter", "oxygen", "oyster", "paddle", "pajamas", "palace", "panda", "pebble",
		"pencil", "pepper", "piano", "pigeon", "pillow", "pirate", "planet", "plaza",
		"plum", "pocket", "pony", "poplar", "potato", "puppet", "puzzle", "quarry",
		"quilt", "rabbit", "radish", "rainbow", "raven", "ribbon", "river", "robin",
		"ruby", "sailor", "salad", "salmon", "sandal", "scarf", "scooter", "shadow",
		"sheriff", "shovel", "silver", "sketch", "snow", "sofa", "soldier", "spider",
		"spinach", "spoon", "statue", "summer", "swan", "tablet", "teapot", "temple",
		"thimble", "thunder", "tiger", "timber", "toaster", "tomato", "tractor", "trophy",
		"trumpet", "tulip", "tunnel", "turtle", "uncle", "unicorn", "uniform", "utensil",
		"vanilla", "vase", "velvet", "village", "violin", "volcano", "voyage", "waffle",
		"wagon", "walnut", "walrus", "water", "whistle", "window", "winter", "wolf",
		"yacht", "yarn", "yellow", "yogurt", "zebra", "zenith", "zigzag", "zipper",
	}
}
