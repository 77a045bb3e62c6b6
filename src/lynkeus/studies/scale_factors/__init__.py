"""Are scale factors right: is the true factor in the interval, also where templates are not those of data?"""
