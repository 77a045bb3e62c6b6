"""Texts with what is known of each: CSV, Parquet, JSON, folders of text files, logbooks, tables of databases."""
