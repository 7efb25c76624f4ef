"""The looks of the pages, as Jinja2 templates; what they are filled with is `pages`'."""
