"""What a figure shows, apart from how it is drawn: data objects that the dashboard and the reports both draw.

``palette`` holds colours and names, ``scatter`` trade-offs with their front, ``breakdown`` what a design spends and
where, ``density`` clouds too large to draw, ``draw`` the figures on paper. None of it imports torch.
"""
