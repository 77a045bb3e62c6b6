"""cms_run_flags"""
