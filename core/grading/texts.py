"""Texts compared: to the character, or in what they say."""

import unicodedata

# Quotes, brackets, Markdown's signs and what ends a sentence. Inside a text and beside it, other signs have a meaning:
# 1.5, -3, C#, 40%.
_AROUND = " .,;:!?…\"'`´“”„‘’‚«»‹›()[]{}<>*_~|。、，；：！？「」『』"
# Invisible, and no part of any word: zero width space, word joiner, byte order mark, soft hyphen.
_INVISIBLE = dict.fromkeys((0x200B, 0x2060, 0xFEFF, 0x00AD))


def normalised(text: str, *, case: bool = False, punctuation: bool = False) -> str:
    """A text without what does not change what it says: doing it twice changes nothing more.

    Compatible characters become one (Unicode NFKC), white space one space, and unless they count, case is folded
    (caseless matching, Unicode Standard 3.13, D146) and punctuation around the whole text goes.
    """
    text = text.translate(_INVISIBLE)
    if not case:
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold()).casefold()
    text = " ".join(unicodedata.normalize("NFKC", text).split())
    # A text of nothing but signs says what they say.
    return text if punctuation else text.strip(_AROUND) or text
