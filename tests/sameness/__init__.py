"""Every well-formed request, put to both listeners of `hoosh serve`: what a caller gets, what an upstream is sent and what is
booked is the same, ids and times apart. `tests/cases` holds the same exchanges against what they must say, in process too."""
