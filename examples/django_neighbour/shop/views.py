"""The shop's pages. The login, the log-out and the change of the password are Django's own."""
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST


def index(request):
    """Who is there, and what is in the cart."""
    return render(request, 'index.html', {'cart': request.session.get('cart', [])})


@require_POST
def add(request):
    """Put something into the cart, which is in the session."""
    request.session['cart'] = [*request.session.get('cart', []), request.POST.get('item', 'tea')[:40]]
    return redirect('/')
