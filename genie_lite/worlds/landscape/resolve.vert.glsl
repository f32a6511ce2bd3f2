// One rectangle over the whole target. Row 0 of what is drawn becomes the top one.
out vec2 v_at;
out vec3 v_dir;               // from the eye, any length
flat out vec3 v_nadir;
uniform vec3 u_right, u_up, u_ahead;      // half the picture's width and height at a distance of 1, and the way ahead

void main() {
    vec2 corner = vec2(gl_VertexID % 2, gl_VertexID / 2);
    v_at = vec2(corner.x, 1.0 - corner.y);
    v_dir = u_ahead + (2.0 * v_at.x - 1.0) * u_right + (2.0 * v_at.y - 1.0) * u_up;
    v_nadir = sky_colour(vec3(0.0, 0.0, -1.0));
    gl_Position = vec4(2.0 * corner - 1.0, 0.0, 1.0);
}
