"""Scores of two things that exist, whatever they are: folders of images, arrays, splits of data sets."""
