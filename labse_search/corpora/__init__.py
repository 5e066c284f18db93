"""Files of text as others publish them: lines, pairs (tables, JSON, TMX, aligned files), Tatoeba, BUCC.

Mining, evaluation, fine-tuning, pre-training and trimming all read through these.
"""
