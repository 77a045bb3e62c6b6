"""Taggers side by side: AUC, rejections at working points, sizes and speeds, with intervals over jets and trainings."""
