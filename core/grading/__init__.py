"""Grading: whether one answer is right, told by rules, by comparison, by a user's function, a judge or people."""

from core.grading.answer import answer_of, prompt_of
from core.grading.function import python_graders
from core.grading.gold import GoldUnusable, MatchedGold, matched_gold, read_gold
from core.grading.grade import BadGrader, Grade, Grader
from core.grading.grader import described, make_grader

__all__ = [
    "BadGrader",
    "GoldUnusable",
    "Grade",
    "Grader",
    "MatchedGold",
    "answer_of",
    "described",
    "make_grader",
    "matched_gold",
    "prompt_of",
    "python_graders",
    "read_gold",
]
