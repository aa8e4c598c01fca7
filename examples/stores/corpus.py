"""What the examples store and ask for."""

DOCUMENTS = [
    "A man plays the guitar on a stage.",
    "The stock market fell by three percent on Monday.",
    "Bake the bread for forty minutes in a hot oven.",
    "The telescope took pictures of a distant galaxy.",
    "Her knee hurts since she fell off the bicycle.",
    "The train to Hamburg leaves from platform seven.",
    "Parliament passed the law with a narrow majority.",
    "Cats sleep for most of the day.",
]
# A question, and the place of the document that answers it.
QUESTIONS = {
    "Who makes music?": 0,
    "How are shares doing?": 1,
    "recipe with flour and yeast": 2,
    "astronomy": 3,
    "When can I travel by rail?": 5,
    "sleepy pets": 7,
}


def check(store: str, found: dict[str, int]) -> None:
    """Prints what was found, and fails where that isn't the document that was meant."""
    for question, place in found.items():
        print(f"{store}: {question} -> {DOCUMENTS[place]}")
        assert place == QUESTIONS[question], (store, question)
