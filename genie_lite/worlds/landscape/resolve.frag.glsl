#version 330
// Halves the picture: the mean of 2x2 colours, and one of their depths in metres. Row 0 becomes the top one.
uniform sampler2D u_colour, u_depth;
uniform int u_height;
uniform vec2 u_range;         // near, far
layout(location = 0) out vec4 f_colour;
layout(location = 1) out float f_depth;

void main() {
    ivec2 at = 2 * ivec2(gl_FragCoord.x, float(u_height) - gl_FragCoord.y);
    vec4 sum = texelFetch(u_colour, at, 0) + texelFetch(u_colour, at + ivec2(1, 0), 0);
    sum += texelFetch(u_colour, at + ivec2(0, 1), 0) + texelFetch(u_colour, at + ivec2(1, 1), 0);
    f_colour = 0.25 * sum;
    f_depth = u_range.x * u_range.y / (u_range.y - texelFetch(u_depth, at, 0).r * (u_range.y - u_range.x));
}
