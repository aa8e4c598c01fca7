"""Writes unicode_tables.inc: the character classes of the `tokenizers` package, asked of the package itself.

The package mixes Unicode versions (8 for categories, 9 for normalization, its compiler's for case), so no one Unicode
library gives the same ids. Run: pip install tokenizers==0.23.3 && python make_unicode_tables.py > unicode_tables.inc
"""

import textwrap
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def ranges(predicate):
    out = []
    for c in CODE_POINTS:
        if predicate(chr(c)):
            if out and out[-1][1] == c - 1:
                out[-1][1] = c
            else:
                out.append([c, c])
    return out


def bert(**on):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**options, **on}).normalize_str


def removes(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    return lambda c: not split.pre_tokenize_str(c)


def table(entries):
    return "\n".join(textwrap.wrap(", ".join("{" + e + "}" for e in entries).replace(", ", ",~").replace("},~", "}, ").replace("~", ""), 98))


def lowercase():
    """Runs {first, last, step, delta} of the one-to-one lowercase mappings."""
    lower, runs = normalizers.Lowercase().normalize_str, []
    for c in CODE_POINTS:
        mapped = lower(chr(c))
        if len(mapped) != 1 or mapped == chr(c):
            continue
        delta = ord(mapped) - c
        if runs and runs[-1][3] == delta and c - runs[-1][1] in (1, 2) and runs[-1][2] in (0, c - runs[-1][1]):
            runs[-1][1], runs[-1][2] = c, c - runs[-1][1]
        else:
            runs.append([c, c, 0, delta])
    return [(a, b, s or 1, d) for a, b, s, d in runs]


SUBSTITUTES = {  # by general category: a character of three bytes and one of four in UTF-8, both older than Unicode 14
    "Lu": (0x1E00, 0x10400), "Ll": (0x1E01, 0x10428), "Lo": (0x0E01, 0x10300), "Lm": (0x10FC, 0x16B40),
    "Nd": (0x0E50, 0x104A0), "Nl": (0x2160, 0x10140), "No": (0x2070, 0x10107), "Mn": (0x0E31, 0x10A01),
    "Mc": (0x0903, 0x11000), "P": (0x0E4F, 0x10100), "S": (0x0E3F, 0x10137),
}


def recent():
    """Runs {first, last, substitute} of what Split's expressions know and Unicode 14 does not."""
    assert unicodedata.unidata_version == "14.0.0", "run with Python 3.11"
    tests, out = {name: removes(r"\p{%s}" % name) for name in SUBSTITUTES}, []
    for c in CODE_POINTS:
        if c == 0x180E:  # white space to PCRE2, a format character to Unicode since 6.3
            out.append([c, c, 0x200B])
        if unicodedata.category(chr(c)) != "Cn":
            continue
        for name, test in tests.items():
            if test(chr(c)):
                substitute = SUBSTITUTES[name][c >= 0x10000]
                if out and out[-1][1] == c - 1 and out[-1][2] == substitute:
                    out[-1][1] = c
                else:
                    out.append([c, c, substitute])
                break
    return out


def main():
    clean, strip = bert(clean_text=True), bert(strip_accents=True)
    punctuation = pre_tokenizers.Punctuation()
    whitespace = pre_tokenizers.WhitespaceSplit()
    numeric = pre_tokenizers.Digits(individual_digits=False)
    word = pre_tokenizers.Whitespace()
    nfd, nfkd = normalizers.NFD().normalize_str, normalizers.NFKD().normalize_str
    accents = normalizers.StripAccents().normalize_str

    def combines(c):  # canonical combining class is not 0: it moves across U+0334 (class 1) or U+0301 (class 230)
        return nfd(c + "\u0334")[0] != nfd(c)[0] or nfd("\u0301" + c)[0] != "\u0301"

    def single(c, f):
        return nfd(c) == c and f(c)

    print(f"// Made by make_unicode_tables.py from tokenizers {tokenizers.__version__}: do not edit.\n")
    sets = [
        ("Other", "Cc, Cf, Cs, Co of Unicode 8, U+FFFD; without tab, line feed, carriage return", ranges(lambda c: clean(c) == "")),
        ("NonspacingMark", "Mn of Unicode 8", ranges(lambda c: strip("x" + c) == "x" if combines(c) else strip(c) == "")),
        ("Punctuation", "ASCII punctuation and P* of Unicode 8", ranges(lambda c: len(punctuation.pre_tokenize_str("x" + c)) == 2)),
        ("Whitespace", "White_Space", ranges(lambda c: not whitespace.pre_tokenize_str(c))),
        ("Numeric", "Nd, Nl, No as Digits sees them", ranges(lambda c: len(numeric.pre_tokenize_str("x" + c)) == 2)),
        ("Word", r"\w of the Whitespace pre-tokenizer and of single_word", ranges(lambda c: len(word.pre_tokenize_str("x" + c)) == 1  and whitespace.pre_tokenize_str(c))),
        ("CombiningMark", "M* as StripAccents sees them", ranges(lambda c: accents("x" + c) == "x")),
        ("HasCombiningClass", "canonical combining class above 0 in Unicode 9", ranges(lambda c: single(c, combines))),
        ("DecomposesCanonically", "NFD changes it, Unicode 9; without Hangul syllables", ranges(lambda c: not "\uac00" <= c <= "\ud7a3" and nfd(c) != c)),
        ("DecomposesCompatibly", "NFKD changes it, Unicode 9; without Hangul syllables", ranges(lambda c: not "\uac00" <= c <= "\ud7a3" and nfkd(c) != c)),
        ("RegexLetter", r"\p{L} of Split", ranges(removes(r"\p{L}"))),
        ("RegexNumber", r"\p{N} of Split", ranges(removes(r"\p{N}"))),
        ("RegexMark", r"\p{M} of Split", ranges(removes(r"\p{M}"))),
        ("RegexSpace", r"\s of Split", ranges(removes(r"\s"))),
    ]
    data = []
    for name, comment, entries in sets:
        text = table("0x%X,0x%X" % tuple(e) for e in entries)
        data.append(f"// {comment}\nconstexpr CodeRange k{name}Data[] = {{\n{text}}};")
    runs = table("0x%X,0x%X,%d,%d" % r for r in lowercase())
    data.append(f"// One-to-one lowercase; U+0130 alone maps to two.\nconstexpr CaseRun kLowercaseData[] = {{\n{runs}}};")
    runs = table("0x%X,0x%X,0x%X" % tuple(r) for r in recent())
    data.append(f"// Younger than Unicode 14, with an older character of the same category and length.\nconstexpr SubstituteRun kRecentData[] = {{\n{runs}}};")
    print("\n\n".join(data))
    many = [c for c in CODE_POINTS if len(normalizers.Lowercase().normalize_str(chr(c))) != 1]
    assert many == [0x130], many


if __name__ == "__main__":
    main()
