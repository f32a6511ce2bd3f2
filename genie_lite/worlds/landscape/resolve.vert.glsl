// One triangle over the whole target. Row 0 of what is drawn becomes the top one.
out vec2 v_at, v_corner;      // the middle of four samples, and the first of them
uniform sampler2D u_colour;
out vec3 v_dir;               // from the eye, any length
flat out vec3 v_nadir;
uniform float u_wider;        // see renderer._WIDER

void main() {
    vec2 corner = vec2(gl_VertexID == 1 ? 2.0 : 0.0, gl_VertexID == 2 ? 2.0 : 0.0);
    v_at = vec2(corner.x, 1.0 - corner.y);
    // The camera's rows: unit vectors to the right, up (over half the viewport's size at a distance of 1) and ahead.
    mat4 rows = transpose(u_camera);
    vec3 right = rows[0].xyz / dot(rows[0].xyz, rows[0].xyz), up = rows[1].xyz / dot(rows[1].xyz, rows[1].xyz);
    v_dir = rows[3].xyz + ((2.0 * v_at.x - 1.0) * right + (2.0 * v_at.y - 1.0) * up) / u_wider;
    v_nadir = sky_colour(vec3(0.0, 0.0, -1.0));
    v_corner = v_at - 0.5 / vec2(textureSize(u_colour, 0));
    gl_Position = vec4(2.0 * corner - 1.0, 0.0, 1.0);
}
