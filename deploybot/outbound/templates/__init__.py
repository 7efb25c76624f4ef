"""The looks of a mail, as Jinja2 templates; what they are filled with is `email_rendering`'s."""
