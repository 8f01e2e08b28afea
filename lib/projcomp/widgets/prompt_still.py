from projcomp.widgets import still


def draw(figure, ways):
    return still.Still(still.picture(still.sheet(400, 300)))
