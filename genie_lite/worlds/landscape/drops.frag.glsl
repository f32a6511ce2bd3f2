#version 330
in vec4 v_drop;
out vec4 f_colour;

void main() { f_colour = v_drop; }
