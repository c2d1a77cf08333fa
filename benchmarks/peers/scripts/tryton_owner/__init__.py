"""A module of Tryton: parties have a salesperson, and rules may speak of the user who asks."""
