// The sky's dome, coloured per vertex, behind everything.
in vec3 in_dir;
out vec3 v_colour;

void main() {
    gl_Position = (u_camera * vec4(in_dir, 0.0)).xyww;
    v_colour = sky_colour(normalize(in_dir));
}
