"""The shop's addresses. What is below /meter/ is the Microdot app's."""
from django.urls import include, path

from . import views

urlpatterns = [
    path('', views.index),
    path('cart', views.add),
    path('accounts/', include('django.contrib.auth.urls')),
]
