"""Study: questions about texts, long and short, of few and many known ones, in three languages."""
